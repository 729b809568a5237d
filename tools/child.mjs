// Child processes that end when their parent does, however it ended.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * Runs a program in the foreground and resolves to its exit code (128 + n after a signal). SIGTERM, SIGHUP
 * and SIGINT reach it; a program that calls `followParent` also ends when this process is killed outright.
 */
export function run(command, args, options = {}) {
  const env = { ...process.env, ...options.env, FOLLOW_PARENT_PID: String(process.pid) };
  const child = spawn(command, args, { stdio: 'inherit', cwd: options.cwd, env });
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT']) {
    process.on(signal, () => {
      // Ctrl-C reaches the whole foreground group: passing it on would make it two, and two mean "at once".
      if (signal === 'SIGINT' && process.stdin.isTTY) return;
      child.kill(signal);
    });
  }
  const stopFollowing = followParent(() => child.kill('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      stopFollowing();
      resolve(code ?? 128 + (signal === 'SIGINT' ? 2 : signal === 'SIGKILL' ? 9 : 15));
    });
  });
}

/**
 * Calls `onOrphaned` once npm, or the `run` above, that started this process is gone. SIGKILL cannot be
 * forwarded, so a killed `npm start` would otherwise leave the server behind. Started in any other way,
 * a process may well outlive its parent (nohup, a supervisor), and nothing is watched.
 */
export function followParent(onOrphaned) {
  const announced = Number(process.env.FOLLOW_PARENT_PID) === process.ppid;
  delete process.env.FOLLOW_PARENT_PID;
  const watched = announced ? [process.ppid] : process.env.npm_lifecycle_event ? npmAncestors() : [];
  if (watched.length === 0) return () => {};

  const started = watched.map(startedAt);
  const timer = setInterval(() => {
    if (watched.every((pid, i) => startedAt(pid) === started[i])) return;
    clearInterval(timer);
    onOrphaned();
  }, 300);
  timer.unref();
  return () => clearInterval(timer);
}

// npm runs a script through a shell, which some shells replace by the script and some do not.
function npmAncestors() {
  const parent = process.ppid;
  if (parent <= 1) return [];
  const isShell = /^\d+ \((sh|dash|bash|zsh|ash|busybox)\)/.test(stat(parent));
  const grandparent = isShell
    ? Number(
        stat(parent)
          .replace(/^.*\) /s, '')
          .split(' ')[1],
      )
    : 0;
  return grandparent > 1 ? [parent, grandparent] : [parent];
}

// A pid alone may have been given to another process since; its start time tells them apart.
function startedAt(pid) {
  return stat(pid)
    .replace(/^.*\) /s, '')
    .split(' ')[19];
}

function stat(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return '';
  }
}
