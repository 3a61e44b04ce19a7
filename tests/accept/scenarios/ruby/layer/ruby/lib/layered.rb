WORD = 'from the layer'
