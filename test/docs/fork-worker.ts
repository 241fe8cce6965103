import { fork as forkFile, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterFile } from '../support/after-file.js';
import { compiled } from '../support/child-process.js';

const setup = new URL('../support/child-setup.mjs', import.meta.url).href;
const workers: ChildProcess[] = [];
afterFile(async () => {
  for (const worker of workers) worker.kill('SIGKILL');
});

/** Forks `sale-worker.ts`, in place of the compiled worker of an application. The handlers of the first one hang. */
export function fork(_script: string): ChildProcess {
  const file = compiled(fileURLToPath(new URL('sale-worker.ts', import.meta.url)));
  const worker = forkFile(file, {
    execArgv: ['--disable-warning=ExperimentalWarning', '--import', setup],
    env: { ...process.env, HANGS: workers.length === 0 ? 'yes' : 'no' },
  });
  workers.push(worker);
  return worker;
}
