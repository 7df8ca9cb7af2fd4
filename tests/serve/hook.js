// A web server that prints what it is sent; POST /refuse makes it answer 503, /accept 200.
'use strict';
const http = require('node:http');
let status = 200;
const server = http.createServer((request, response) => {
  let body = '';
  request.on('data', (part) => { body += part; });
  request.on('end', () => {
    if (request.url === '/refuse') status = 503;
    else if (request.url === '/accept') status = 200;
    else if (status === 200) console.log(`POST ${request.url} ${request.headers.authorization} ${JSON.parse(body).text}`);
    response.statusCode = request.url === '/in' ? status : 200;
    response.end();
  });
});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
