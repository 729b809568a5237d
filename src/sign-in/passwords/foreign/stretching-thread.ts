import { hash as digestOf } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import type { Answered, Asked } from './stretching.ts';

parentPort!.on('message', ({ id, salt, password, rounds }: Asked) => {
  const secret = Buffer.from(password);
  let digest = digestOf('md5', salt + password, 'buffer');
  for (let round = 0; round < rounds; round += 1)
    digest = digestOf('md5', Buffer.concat([digest, secret]), 'buffer');
  parentPort!.postMessage({ id, digest } satisfies Answered);
});
