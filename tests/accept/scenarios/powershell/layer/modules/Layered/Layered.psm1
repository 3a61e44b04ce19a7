function Get-Word { 'from the layer' }
