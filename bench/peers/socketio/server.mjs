// A chat on Socket.IO 4: signs people in, knows who is in which conversation, and stores messages where STORE says so.

import { createServer } from 'node:http';
import jwt from 'jsonwebtoken';
import { Server } from 'socket.io';
import { openStore } from './store.mjs';

const number = (name) => Number(process.env[name] || 0);
const secret = process.env.BENCH_SECRET;
const pairs = number('BENCH_PAIRS');
const room = number('BENCH_ROOM');
const store = await openStore(process.env.STORE || 'none', process.env.STORE_FILE);

const roomOf = (conversation) => `conversation:${conversation}`;
const roomOfUser = (user) => `user:${user}`;

/** The conversations of a user: the one of the pair, and that of the first users. */
function conversationsOf(user) {
  const conversations = [];
  const pair = Math.floor((user - 1) / 2);
  if (pair < pairs) conversations.push(pair + 1);
  if (user <= room) conversations.push(pairs + 1);
  return conversations;
}

/** Whether the frame of a client is one that can be carried out. */
const isMessage = (frame) =>
  typeof frame?.text === 'string' && (Number.isInteger(frame.to) || Number.isInteger(frame.room));

const http = createServer((_request, response) => response.writeHead(404).end());
const io = new Server(http, {
  transports: ['websocket'],
  serveClient: false,
  perMessageDeflate: false,
});

// The request of the handshake is not needed again, and would be kept as long as the connection.
io.engine.on('connection', (connection) => {
  connection.request = null;
});

io.use((socket, next) => {
  try {
    const claims = jwt.verify(socket.handshake.auth.token, secret, { algorithms: ['HS256'] });
    socket.data.user = Number(claims.sub);
    next();
  } catch {
    next(new Error('not signed in'));
  }
});

io.on('connection', (socket) => {
  const { user } = socket.data;
  socket.join([roomOfUser(user), ...conversationsOf(user).map(roomOf)]);

  socket.on('message', (frame, ack) => {
    const answer = typeof ack === 'function' ? ack : () => {};
    if (!isMessage(frame)) return answer({ error: 'invalid_frame' });
    const { to, room: conversation, text } = frame;
    const target = to === undefined ? roomOf(conversation) : roomOfUser(to);
    if (to === undefined && !socket.rooms.has(target)) return answer({ error: 'not_found' });
    const id = store.append(user, to, conversation, text);
    socket.to(target).emit('message', { from: user, text });
    answer({ id });
  });

  socket.on('typing', (frame) => {
    if (Number.isInteger(frame?.to)) socket.to(roomOfUser(frame.to)).emit('typing', { from: user });
  });
});

http.listen({ port: number('PORT'), host: '127.0.0.1', backlog: 4096 });
