raise ArgumentError, 'at init'
