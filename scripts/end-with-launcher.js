// Preloaded into a process that the bootstrap started as a child: when the bootstrap is killed, however hard, the child goes too.
// Otherwise a killed `npm start` would leave a server behind that holds the port and the data folder.
import { isMainThread } from 'node:worker_threads';

// Processes that this one forks inherit the preload too; their channel is their parent's business.
const isOurLauncher = String(process.ppid) === process.env.BOOTSTRAP_PID;

if (isMainThread && process.channel && isOurLauncher) {
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  // Neither the channel nor the listener may keep the process alive.
  process.channel.unref();
}
