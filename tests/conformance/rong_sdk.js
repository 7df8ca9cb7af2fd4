'use strict';
// RongCloud's SDK 5.38.0 on plain Node: one user of one page.
require('./browser.js');
// What the vendor's own programs call themselves is looked at for a version.
Object.defineProperty(globalThis.navigator, 'userAgent', { configurable: true,
  value: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36' });
module.exports = require('@rongcloud/imlib-next');
