// Starts each peer that is installed and sees that a pair and a room can talk: node bench/peers/check.mjs [NAME...]
//
// The frames are written by hand, as the load generator writes them: this is the contract between it and the peers.

import { spawn, spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createServer, connect as connectTcp } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const SECRET = 'a-secret-of-the-check-of-the-peers-that-is-long-enough';
const PAIRS = 3;
const ROOM = 5;
const USERS = 8;
const PATIENCE_MS = 10_000;

// Node.js 20 has a WebSocket, but hides it.
if (globalThis.WebSocket === undefined) {
  const again = ['--experimental-websocket', '--no-warnings', ...process.argv.slice(1)];
  process.exit(spawnSync(process.execPath, again, { stdio: 'inherit' }).status ?? 1);
}

const base64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token as a host application would mint it. */
function token(user) {
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const head = `${base64({ alg: 'HS256', typ: 'JWT' })}.${base64({ sub: String(user), exp })}`;
  return `${head}.${createHmac('sha256', SECRET).update(head).digest('base64url')}`;
}

/** A socket whose frames can be waited for. */
class Client {
  constructor(url, parse = JSON.parse) {
    this.frames = [];
    this.waiting = [];
    this.answers = {};
    this.ended = false;
    this.socket = new WebSocket(url);
    this.socket.onmessage = ({ data }) => this.hear(parse(data, this));
    this.socket.onclose = this.socket.onerror = () => {
      this.ended = true;
      for (const look of this.waiting.splice(0)) look();
    };
  }

  hear(frame) {
    if (frame === undefined) return;
    this.frames.push(frame);
    for (const look of this.waiting.splice(0)) look();
  }

  send(frame) {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  /** The first frame that is so, which is taken out. */
  async next(what, isSo) {
    const late = AbortSignal.timeout(PATIENCE_MS);
    for (;;) {
      const index = this.frames.findIndex(isSo);
      if (index >= 0) return this.frames.splice(index, 1)[0];
      if (this.ended) throw new Error(`the socket ended before ${what}`);
      if (late.aborted) throw new Error(`${what} did not come; there is ${JSON.stringify(this.frames)}`);
      await Promise.race([new Promise((look) => this.waiting.push(look)), sleep(200)]);
    }
  }

  async opened() {
    while (this.socket.readyState === WebSocket.CONNECTING) await sleep(5);
    if (this.socket.readyState !== WebSocket.OPEN) throw new Error('the connection was refused');
    return this;
  }

  close() {
    this.socket.close();
  }
}

// How each kind of peer is spoken to: `pair` and `room` open a socket; the others send, and say what arrives.

const channels = {
  pair: (port, user) => new Client(`ws://127.0.0.1:${port}/ws/chat/?token=${token(user)}`).opened(),
  room: (port, user) =>
    new Client(`ws://127.0.0.1:${port}/ws/chat/${PAIRS + 1}/?token=${token(user)}`).opened(),
  refused: async (port) => {
    const outsider = `ws://127.0.0.1:${port}/ws/chat/${PAIRS + 1}/?token=${token(ROOM + 1)}`;
    for (const url of [`ws://127.0.0.1:${port}/ws/chat/?token=x`, outsider]) await refused(url);
  },
  say: (client, to, text) => client.send({ type: 'message', receiver: to, content: text }),
  said: (frame, from, text) => frame.message?.sender === from && frame.message.content === text,
  sayAll: (client, text) => client.send({ type: 'chat_message', content: text }),
  saidAll: (frame, from, text) =>
    frame.type === 'chat_message' && frame.sender_id === from && frame.content === text,
  type: (client, to) => client.send({ type: 'typing', receiver: to, is_typing: true }),
  typed: (frame, from) => frame.type === 'typing' && frame.user_id === from,
  echoes: true,
};

/** Engine.IO 4 and Socket.IO 5 in text frames: a digit or two, the number of the ack, JSON. */
function parseSocketIo(text, client) {
  if (text === '2') client.send('3');
  const [, kind, ack, body] = /^(\d\d?)(\d*)(.*)$/.exec(text) ?? [];
  return { kind, ack, body: body ? JSON.parse(body) : undefined };
}

async function openSocketIo(port, user) {
  const client = new Client(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`, parseSocketIo);
  await client.next('the handshake', ({ kind }) => kind === '0');
  client.send(`40${JSON.stringify({ token: typeof user === 'number' ? token(user) : user })}`);
  const answer = await client.next('the sign-in', ({ kind }) => kind === '40' || kind === '44');
  if (answer.kind === '44') throw new Error('the connection was refused');
  return client;
}

const isEvent = (frame, name, from) =>
  frame.kind === '42' && frame.body[0] === name && frame.body[1].from === from;

const socketio = {
  pair: openSocketIo,
  room: openSocketIo,
  refused: async (port) => {
    const client = await openSocketIo(port, 'x').catch(() => undefined);
    if (client) throw new Error('a bad token was let in');
  },
  say: (client, to, text) => client.send(`421${JSON.stringify(['message', { to, text }])}`),
  said: (frame, from, text) => isEvent(frame, 'message', from) && frame.body[1].text === text,
  sayAll: (client, text) => client.send(`421${JSON.stringify(['message', { room: PAIRS + 1, text }])}`),
  saidAll: (frame, from, text) => isEvent(frame, 'message', from) && frame.body[1].text === text,
  acked: (frame) => frame.kind === '43' && frame.ack === '1' && frame.body[0].id > 0,
  type: (client, to) => client.send(`42${JSON.stringify(['typing', { to }])}`),
  typed: (frame, from) => isEvent(frame, 'typing', from),
  echoes: false,
};

async function openPusher(port, channel, secret = 'bench-secret') {
  const client = new Client(`ws://127.0.0.1:${port}/app/bench?protocol=7&client=check&version=1`);
  const hello = await client.next('the greeting', ({ event }) => event === 'pusher:connection_established');
  const signed = `${JSON.parse(hello.data).socket_id}:${channel}`;
  const auth = `bench:${createHmac('sha256', secret).update(signed).digest('hex')}`;
  client.send({ event: 'pusher:subscribe', data: { channel, auth } });
  const answer = await client.next('the subscription', ({ event }) => !event.startsWith('client-'));
  if (answer.event !== 'pusher_internal:subscription_succeeded') throw new Error(JSON.stringify(answer));
  return Object.assign(client, { channel });
}

const pairChannel = (user) => `private-pair-${Math.floor((user - 1) / 2)}`;
const sendPusher = (client, event, data) => client.send({ event, channel: client.channel, data });

/** What a client event holds, which some servers give as a string. */
function pusherData({ data }) {
  return typeof data === 'string' ? JSON.parse(data) : data;
}

const sockudo = {
  pair: (port, user) => openPusher(port, pairChannel(user)),
  room: (port) => openPusher(port, 'private-room'),
  refused: async (port) => {
    const client = await openPusher(port, 'private-room', 'another').catch(() => undefined);
    if (client) throw new Error('a bad signature was let in');
  },
  say: (client, _to, text, from) => sendPusher(client, 'client-message', { from, text }),
  said: (frame, from, text) =>
    frame.event === 'client-message' && pusherData(frame).from === from && pusherData(frame).text === text,
  sayAll: (client, text, from) => sendPusher(client, 'client-message', { from, text }),
  saidAll: (frame, from, text) => sockudo.said(frame, from, text),
  type: (client, _to, from) => sendPusher(client, 'client-typing', { from }),
  typed: (frame, from) => frame.event === 'client-typing' && pusherData(frame).from === from,
  echoes: false,
};

const nchan = {
  pair: (port, user) => new Client(`ws://127.0.0.1:${port}/pubsub/${pairChannel(user).replace('private-', '')}`).opened(),
  room: (port) => new Client(`ws://127.0.0.1:${port}/pubsub/room`).opened(),
  refused: async () => {},
  say: (client, _to, text, from) => client.send({ from, text }),
  said: (frame, from, text) => frame.from === from && frame.text === text,
  sayAll: (client, text, from) => client.send({ from, text }),
  saidAll: (frame, from, text) => nchan.said(frame, from, text),
  type: (client, _to, from) => client.send({ typing: from }),
  typed: (frame, from) => frame.typing === from,
  echoes: true,
};

/** Fails unless a connection is refused, or ended before anything is said. */
async function refused(url) {
  const client = new Client(url);
  while (!client.ended && client.socket.readyState !== WebSocket.OPEN) await sleep(5);
  for (let tries = 0; !client.ended && tries < 100; tries += 1) await sleep(10);
  if (!client.ended) throw new Error(`${url.replace(/=.*/, '=…')} was let in`);
}

const VARIANTS = [
  ...['daphne', 'uvicorn'].flatMap((server) => [
    [`channels-${server}`, channels, { LAYER: 'memory', DATABASE_URL: 'sqlite' }],
    [`channels-${server}`, channels, { LAYER: 'redis', DATABASE_URL: 'sqlite' }],
    [`channels-${server}`, channels, { LAYER: 'redis-pubsub', DATABASE_URL: 'sqlite' }],
    [`channels-${server}`, channels, { LAYER: 'redis', DATABASE_URL: 'postgres' }],
  ]),
  ['socketio', socketio, { STORE: 'none' }],
  ['socketio', socketio, { STORE: 'sqlite' }],
  ['sockudo', sockudo, {}],
  ['nchan', nchan, {}],
];

/** What the setup script of each leaves when it is done. */
const INSTALLED = {
  'channels-daphne': 'channels/.installed/requirements.txt',
  'channels-uvicorn': 'channels/.installed/requirements.txt',
  socketio: 'socketio/node_modules/.parlour-installed',
  sockudo: 'sockudo/.installed/version',
  nchan: 'nchan/.installed/versions',
};

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const listens = (port) =>
  new Promise((resolve) => {
    const socket = connectTcp(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

/** Starts a peer and waits until it listens. */
async function start(name, settings) {
  const port = await freePort();
  const env = {
    ...process.env,
    ...settings,
    PORT: String(port),
    BENCH_SECRET: SECRET,
    BENCH_USERS: String(USERS),
    BENCH_PAIRS: String(PAIRS),
    BENCH_ROOM: String(ROOM),
  };
  const child = spawn(join(here, name, 'run.sh'), { env, stdio: ['ignore', 'inherit', 'inherit'] });
  const end = new Promise((resolve) => child.once('exit', resolve));
  for (let tries = 0; !(await listens(port)); tries += 1) {
    if (child.exitCode !== null || tries > 1_200) throw new Error('it does not listen');
    await sleep(50);
  }
  return { port, child, end };
}

/** Two of a pair: each hears the other, and the other pair hears nothing. */
async function checkPair(peer, port) {
  const [alice, bob, carol] = await Promise.all([3, 4, 5].map((user) => peer.pair(port, user)));
  for (const [from, other, client, receiver] of [[3, 4, alice, bob], [4, 3, bob, alice]]) {
    const text = `m 1 ${from} 1 0 "é" padding`;
    peer.say(client, other, text, from);
    await receiver.next('a message', (frame) => peer.said(frame, from, text));
    if (peer.acked) await client.next('the ack', peer.acked);
    if (peer.echoes) await client.next('the own message', (frame) => peer.said(frame, from, text));
  }
  peer.type(alice, 4, 3);
  await bob.next('typing', (frame) => peer.typed(frame, 3));
  const wrong = [alice, bob, carol].flatMap((client) => client.frames).filter((frame) => !isNoise(frame, peer));
  if (wrong.length > 0) throw new Error(`heard too much: ${JSON.stringify(wrong)}`);
  for (const client of [alice, bob, carol]) client.close();
}

/** Frames that mean nothing to a check: pings, and on some servers one's own typing. */
const isNoise = (frame, peer) => frame.kind === '2' || (peer.echoes && peer.typed(frame, 3));

/** All of a room hear what is said there once. */
async function checkRoom(peer, port) {
  const users = Array.from({ length: ROOM }, (_, index) => index + 1);
  const clients = await Promise.all(users.map((user) => peer.room(port, user)));
  for (const user of users) peer.sayAll(clients[user - 1], `m 1 ${user} 1 0 to all`, user);
  for (const [index, client] of clients.entries()) {
    for (const from of users.filter((user) => peer.echoes || user !== index + 1)) {
      await client.next('a message to all', (frame) => peer.saidAll(frame, from, `m 1 ${from} 1 0 to all`));
    }
    if (peer.acked) await client.next('the ack', peer.acked);
  }
  const wrong = clients.flatMap((client) => client.frames).filter((frame) => !isNoise(frame, peer));
  if (wrong.length > 0) throw new Error(`heard too much: ${JSON.stringify(wrong)}`);
  for (const client of clients) client.close();
}

async function check(name, peer, settings) {
  const begun = Date.now();
  const { port, child, end } = await start(name, settings);
  const ready = Date.now() - begun;
  try {
    await checkPair(peer, port);
    await checkRoom(peer, port);
    await peer.refused(port);
  } finally {
    child.kill('SIGTERM');
  }
  const code = await Promise.race([end, sleep(10_000, 'never')]);
  if (code === 'never') {
    child.kill('SIGKILL');
    throw new Error('it does not end');
  }
  return `ready after ${ready} ms`;
}

const wanted = process.argv.slice(2);
let failures = 0;
for (const [name, peer, settings] of VARIANTS) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const title = [name, ...Object.values(settings)].join(' ');
  if (!existsSync(join(here, INSTALLED[name]))) {
    console.log(`${title}: SKIPPED, not installed: bench/peers/${name}/setup.sh`);
    continue;
  }
  try {
    console.log(`${title}: ok, ${await check(name, peer, settings)}`);
  } catch (error) {
    failures += 1;
    console.log(`${title}: FAILED: ${error.message}`);
  }
}
process.exit(failures === 0 ? 0 : 1);
