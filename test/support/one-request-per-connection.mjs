// Loaded before a Latchkey of several processes: connections are handed out in turn, so every request meets another process.
import { Server } from 'node:http';

const { listen } = Server.prototype;
Server.prototype.listen = function (...args) {
  this.maxRequestsPerSocket = 1;
  return listen.apply(this, args);
};
