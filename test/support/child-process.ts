import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterFile } from './after-file.js';
import { waitFor } from './wait-for.js';

export interface ChildOptions {
  args?: string[];
  /** Beside the environment of the test. */
  env?: Record<string, string>;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

const checkout = fileURLToPath(new URL('../../', import.meta.url));
const running = new Set<TestChild>();
afterFile(endChildren);

/** Ends what is still running: for what must not go on beside it, such as a drop of its database. */
export async function endChildren(): Promise<void> {
  await Promise.all([...running].map((child) => child.kill()));
}

/**
 * Runs a TypeScript file in a process of its own, for tests that kill it. It tells the test how far it is by
 * `process.send`, or by what it prints. None outlives the test file, nor a run that is killed.
 */
export function startChild(script: URL | string, options: ChildOptions = {}): TestChild {
  return new TestChild(script, options);
}

export class TestChild {
  /** All that it has sent so far, oldest first. */
  readonly messages: unknown[] = [];
  /** What it has written to standard output and standard error so far. */
  output = '';
  readonly exit: Promise<Exit>;
  private readonly process: ChildProcess;
  private ended: Exit | undefined;

  constructor(script: URL | string, { args = [], env = {} }: ChildOptions) {
    const file = compiled(script instanceof URL ? fileURLToPath(script) : script);
    const setup = new URL('child-setup.mjs', import.meta.url).href;
    this.process = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', '--import', setup, file, ...args],
      { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] },
    );
    running.add(this);
    this.process.on('message', (message) => this.messages.push(message));
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
    this.process.on('error', (error) => (this.output += `\n${error.message}\n`)); // of a message it didn't get
    this.exit = new Promise((resolve) => {
      this.process.on('close', (code, signal) => {
        running.delete(this);
        resolve((this.ended = { code, signal }));
      });
    });
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  /** Whether it has not ended yet. */
  get running(): boolean {
    return this.ended === undefined;
  }

  send(message: object): void {
    this.process.send(message);
  }

  /** The first message, sent already or to come, for which `matches` holds. Fails at once if the child ends. */
  message<T>(matches: (message: T) => boolean, deadline = 60_000): Promise<T> {
    return this.until(() => (this.messages as T[]).find(matches), 'a message', deadline);
  }

  /** The first match in what it has printed, or prints yet. */
  printed(pattern: RegExp, deadline = 60_000): Promise<RegExpExecArray> {
    return this.until(() => pattern.exec(this.output), `${pattern} in the output`, deadline);
  }

  /**
   * The end of a child that ends by itself, such as at a fault. Fails if it goes on, with what it has printed: a test that
   * waits for `exit` would not tell where it waits.
   */
  end(deadline = 60_000): Promise<Exit> {
    return this.orPrinted(
      waitFor(() => this.ended, { deadline, what: `the end of process ${this.pid}` }),
    );
  }

  /** Sends the signal and waits for the end. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<Exit> {
    this.process.kill(signal);
    return this.exit;
  }

  /** Sends a signal that doesn't end it, such as SIGSTOP. */
  signal(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  private async until<T>(
    look: () => T | null | undefined,
    what: string,
    deadline: number,
  ): Promise<T> {
    const found = await this.orPrinted(
      waitFor(() => look() ?? (this.ended ? { ended: this.ended } : undefined), {
        deadline,
        what: `${what} of process ${this.pid}`,
      }),
    );
    const value = look();
    if (value !== null && value !== undefined) return value;
    throw new Error(
      `The child ended (${JSON.stringify(found)}) before ${what}. It printed:\n${this.output}`,
    );
  }

  /** Adds what it has printed to a failure. */
  private orPrinted<T>(result: Promise<T>): Promise<T> {
    return result.catch((error: Error) => {
      throw new Error(`${error.message} It printed:\n${this.output}`, { cause: error });
    });
  }
}

/** The same file as `compile-for-children.mjs` has compiled it, where it has. */
export function compiled(script: string): string {
  const folder = process.env['CLOACINA_TEST_BUNDLED'];
  if (folder === undefined || !script.endsWith('.ts')) return script;
  const file = path.join(folder, path.relative(checkout, script).replace(/\.ts$/, '.js'));
  return existsSync(file) ? file : script;
}
