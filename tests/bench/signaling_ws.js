#!/usr/bin/node
// An equal server on Node's `ws`, for comparison: names, and offers forwarded with `from` in place of `target`.
'use strict';

const { WebSocketServer } = require('ws');

const names = new Map();
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false, maxPayload: 65536 });

server.on('connection', (socket) => {
  let name = null;
  socket.on('message', (data) => {
    const message = JSON.parse(data);
    if (message.type === 'register') {
      name = message.peer_id;
      names.set(name, socket);
      socket.send(JSON.stringify({ type: 'registered', peer_id: name }));
      return;
    }
    const { target, ...rest } = message;
    const to = names.get(target);
    if (to) to.send(JSON.stringify({ ...rest, from: name }));
    else socket.send(JSON.stringify({ type: 'error', code: 'peer-not-found', target }));
  });
  socket.on('close', () => names.delete(name));
});

server.on('listening', () => process.stderr.write(`ws://127.0.0.1:${server.address().port}\nready\n`));
