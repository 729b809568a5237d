import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { enqueueJob, type JobOrder } from '../../src/delivery/jobs/enqueue.ts';
import { backoffSeconds, GiveUp, type Job } from '../../src/delivery/jobs/job.ts';
import { insertBareApp, testDatabase, type TestDatabase } from '../support/stores.ts';
import { change, jobRows, rootKeys, sampleWorker } from './sample-worker.ts';

describe('jobs', () => {
  let database: TestDatabase;
  before(async () => {
    database = await testDatabase();
    await insertBareApp(database, 'wolf');
  });
  after(() => database.end());
  afterEach(() => change(database, 'delete from jobs'));

  const enqueue = (order: Partial<JobOrder> = {}, wake = () => {}) =>
    database.db.transaction('wolf', (tx) =>
      enqueueJob(
        tx,
        { rootKeys, wake },
        { appId: 'wolf', kind: 'test', payload: { link: 'canary' }, ...order },
      ),
    );

  it('are done once the transaction commits, and never when it does not', async () => {
    const done: Job[] = [];
    const worker = sampleWorker(database);
    worker.register('test', async (job) => void done.push(job));
    const jobId = await enqueue();
    await database.db
      .transaction('wolf', async (tx) => {
        await enqueueJob(tx, { rootKeys, wake: () => {} }, { appId: 'wolf', kind: 'test', payload: {} });
        throw new Error('no');
      })
      .catch(() => {});
    await worker.runDue();
    expect(done).to.deep.equal([
      { appId: 'wolf', jobId, kind: 'test', payload: { link: 'canary' }, attempt: 1 },
    ]);
    expect(await jobRows(database)).to.deep.equal([]);
  });

  it('are not done again because the store was away when they were done', async () => {
    let away = 2;
    const failing = await testDatabase(({ text }) => {
      if (text.startsWith('delete from jobs where app_id') && away-- > 0) throw new Error('away');
    });
    try {
      await insertBareApp(failing, 'wolf');
      const worker = sampleWorker(failing);
      let done = 0;
      worker.register('test', async () => void (done += 1));
      await failing.db.transaction('wolf', (tx) =>
        enqueueJob(tx, { rootKeys, wake: () => {} }, { appId: 'wolf', kind: 'test', payload: {} }),
      );
      await worker.runDue();
      expect({ away, done, left: await jobRows(failing) }).to.deep.equal({ away: -1, done: 1, left: [] });
    } finally {
      await failing.end();
    }
  });

  it('lie sealed in the database, and open nowhere else', async () => {
    const [first, second] = [await enqueue(), await enqueue()];
    const rows = await jobRows(database);
    expect(JSON.stringify(rows)).not.to.include('canary');
    await change(
      database,
      `update jobs set payload = (select payload from jobs where job_id = '${first}') where job_id = '${second}'`,
    );
    const done: string[] = [];
    const worker = sampleWorker(database);
    worker.register('test', async (job) => void done.push(job.jobId));
    await worker.runDue();
    expect(done).to.deep.equal([first]);
    expect((await jobRows(database))[0]).to.include({ job_id: second, last_error: 'GiveUp' });
  });

  it('begin at once when this process is woken after the commit', async () => {
    const worker = sampleWorker(database);
    const begun = new Promise((resolve) => worker.register('test', async (job) => resolve(job.kind)));
    worker.start();
    await sleep(50);
    await enqueue({}, worker.wake);
    expect(await Promise.race([begun, sleep(3000, 'too late')])).to.equal('test');
    await worker.stop();
  });

  it('lose no wake-up that comes while a round is running', async () => {
    const worker = sampleWorker(database, { concurrency: 1 });
    let done = 0;
    worker.register('test', async () => {
      done++;
      if (done < 5) await enqueue({}, worker.wake);
    });
    worker.start();
    await enqueue({}, worker.wake);
    for (let i = 0; i < 100 && done < 5; i++) await sleep(20);
    await worker.stop();
    expect(done).to.equal(5);
  });

  it('are each in one hand, with four workers at forty jobs', async () => {
    const times = new Map<string, number>();
    const workers = Array.from({ length: 4 }, () => {
      const worker = sampleWorker(database);
      worker.register('test', async (job) => {
        times.set(job.jobId, (times.get(job.jobId) ?? 0) + 1);
        await sleep(5);
      });
      return worker;
    });
    await Promise.all(Array.from({ length: 40 }, () => enqueue()));
    await Promise.all(workers.map((worker) => worker.runDue()));
    expect(times.size).to.equal(40);
    expect([...times.values()].every((count) => count === 1)).to.equal(true);
  });

  it('are begun again after the process that held them died', async () => {
    await enqueue();
    await change(database, "update jobs set attempts = 1, run_at = now() + interval '1 hour'");
    const attempts: number[] = [];
    const worker = sampleWorker(database);
    worker.register('test', async (job) => void attempts.push(job.attempt));
    await worker.runDue();
    expect(attempts).to.deep.equal([]);
    await change(database, "update jobs set run_at = now() - interval '1 second'");
    await worker.runDue();
    expect(attempts).to.deep.equal([2]);
  });

  it('are tried again later when they fail, and their error names no content', async () => {
    await enqueue();
    const worker = sampleWorker(database);
    worker.register('test', async () => {
      throw Object.assign(new Error('canary@example.com is away'), { code: 'ECONNREFUSED' });
    });
    await worker.runDue();
    const [row] = await jobRows(database);
    expect(row).to.include({ attempts: 1, last_error: 'Error ECONNREFUSED', failed_at: null, due: false });
  });

  it('are given up at once when trying again can not help, and at last when it does not', async () => {
    const worker = sampleWorker(database);
    worker.register('hopeless', async () => {
      throw new GiveUp('no');
    });
    worker.register('unlucky', async () => {
      throw new Error('no');
    });
    await enqueue({ kind: 'hopeless' });
    await enqueue({ kind: 'unlucky' });
    await change(database, "update jobs set attempts = 11 where kind = 'unlucky'");
    await worker.runDue();
    for (const row of await jobRows(database)) expect(row.failed_at, row.kind).to.be.instanceOf(Date);
  });

  it('are dropped undone when they have expired', async () => {
    await enqueue({ expiresInSeconds: 60 });
    await change(database, "update jobs set expires_at = now() - interval '1 second'");
    const expired: string[] = [];
    const done: string[] = [];
    const worker = sampleWorker(database, { onExpired: (kind) => expired.push(kind) });
    worker.register('test', async (job) => void done.push(job.jobId));
    worker.start();
    for (let i = 0; i < 100 && expired.length === 0; i++) await sleep(20);
    await worker.stop();
    expect([expired, done]).to.deep.equal([['test'], []]);
    expect(await jobRows(database)).to.deep.equal([]);
  });

  it('of a kind nobody does here are left to others', async () => {
    await enqueue({ kind: 'foreign' });
    const worker = sampleWorker(database);
    worker.register('test', async () => {});
    await worker.runDue();
    expect((await jobRows(database))[0]).to.include({ kind: 'foreign', attempts: 0, due: true });
  });

  it('in hand are finished before the worker has stopped', async () => {
    const worker = sampleWorker(database);
    let finished = false;
    const begun = new Promise<void>((resolve) =>
      worker.register('test', async () => {
        resolve();
        await sleep(150);
        finished = true;
      }),
    );
    worker.start();
    await enqueue({}, worker.wake);
    await begun;
    await worker.stop();
    expect(finished).to.equal(true);
    expect(await jobRows(database)).to.deep.equal([]);
  });

  it('wait longer after each failure, three hours at most', () => {
    const waits = [1, 2, 3, 4, 12].map((attempt) => backoffSeconds(attempt, 0.5));
    expect(waits).to.deep.equal([5, 15, 45, 135, 10_800]);
  });
});
