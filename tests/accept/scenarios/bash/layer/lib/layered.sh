WORD='from the layer'
