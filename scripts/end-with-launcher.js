// Preloaded into a process that the bootstrap started as a child: when the bootstrap is killed, however hard, the child goes too.
// Otherwise a killed `npm start` would leave a server behind that holds the port and the data folder.
import { isMainThread } from 'node:worker_threads';

if (isMainThread && process.channel) {
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  // Neither the channel nor the listener may keep the process alive.
  process.channel.unref();
}
