import { fork } from 'node:child_process';

const WORKER = new URL('./worker.mjs', import.meta.url);

/** A contender in a process of its own: started here, told what to do, and watched. */
export class ContenderProcess {
  handled = 0;
  #child;
  #calls = new Map();
  #nextCall = 1;
  #onHandled;

  static async start(settings, onHandled = () => {}) {
    const contender = new ContenderProcess(settings, onHandled);
    await contender.#answer(0);
    return contender;
  }

  constructor(settings, onHandled) {
    this.#onHandled = onHandled;
    this.#child = fork(WORKER, [], {
      env: { ...process.env, BENCH_WORKER: JSON.stringify(settings), NODE_NO_WARNINGS: '1' },
      execArgv: ['--expose-gc'],
    });
    this.#child.on('message', (message) => this.#receive(message));
    this.#child.on('exit', (code, signal) =>
      this.#fail(new Error(`${settings.name} ended with ${signal ?? code}.`)),
    );
  }

  call(call, argument) {
    const id = this.#nextCall++;
    this.#child.send({ id, call, argument });
    return this.#answer(id);
  }

  /** One that doesn't end when told to is killed: its figures are taken by then. */
  async stop() {
    const exited = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.call('stop').catch(() => {});
      const kill = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
      await exited;
      clearTimeout(kill);
    }
  }

  #answer(id) {
    return new Promise((resolve, reject) => this.#calls.set(id, { resolve, reject }));
  }

  #receive({ id, result, error, handled }) {
    if (handled !== undefined) {
      this.handled = handled;
      this.#onHandled();
      return;
    }
    const { resolve, reject } = this.#calls.get(id);
    this.#calls.delete(id);
    if (error === undefined) resolve(result);
    else reject(new Error(error));
  }

  #fail(error) {
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
  }
}
