throw new TypeError('at init');
