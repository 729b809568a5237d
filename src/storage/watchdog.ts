import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { ProcessIdentity } from './process-identity.ts';

// The shell blocks on a pipe whose other end only this process has: however this process ends, SIGKILL
// included, the kernel closes it and the shell wakes at once. Nothing polls while all is well.
const SCRIPT = `
read -r _
same() {
  read -r stat 2>/dev/null < "/proc/$1/stat" || return 1
  set -- "$2" $(echo "\${stat##*) }")
  [ "$2" != Z ] && [ "$1" = "\${21}" ]
}
for step in INT:20 QUIT:5 KILL:5; do
  same "$1" "$2" || exit 0
  kill -"\${step%:*}" "$1"
  tries=0
  while same "$1" "$2" && [ "$tries" -lt $(( \${step#*:} * 10 )) ]; do
    sleep 0.1
    tries=$((tries + 1))
  done
done
`;

/**
 * Ends `watched` (SIGINT, then SIGQUIT, then SIGKILL) once this process is gone. The returned function
 * calls the watch off; call it after `watched` has ended.
 */
export function endWithThisProcess(watched: ProcessIdentity): () => void {
  const args = ['-c', SCRIPT, 'latchkey-watchdog', String(watched.pid), watched.startedAt];
  // A session of its own: a signal to our process group must not take the watchdog along.
  const shell = spawn('/bin/sh', args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true, cwd: '/' });
  shell.on('error', () => {});
  shell.unref();
  (shell.stdin as Socket).unref();
  shell.stdin.on('error', () => {});
  return () => shell.stdin.destroy();
}
