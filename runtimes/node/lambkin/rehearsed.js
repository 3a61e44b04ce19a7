'use strict';
/* The handler of the rehearsal (rehearsal.js). */
exports.handler = async (event) => event;
