import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from '@jest/globals';
import { waitFor } from '../support/wait-for.js';

const checkout = fileURLToPath(new URL('../../', import.meta.url));
const running = new Set<StartedSample>();
const inboxes: string[] = [];
afterAll(async () => {
  await Promise.all([...running].map((sample) => sample.kill('SIGKILL')));
  for (const inbox of inboxes) rmSync(inbox, { recursive: true, force: true });
});

/** A command that the sample prints for people to try. */
export interface PrintedCommand {
  readonly text: string;
  readonly method: string;
  readonly url: string;
  readonly form: URLSearchParams;
}

/** What `npm start` runs, on a database that is given. */
export class StartedSample {
  output = '';
  readonly exit: Promise<number | null>;
  /** The folder with the folders of the tenants. Samples of other tests have others. */
  readonly inbox = mkdtempSync(path.join(tmpdir(), 'cloacina-inbox-'));
  private readonly process: ChildProcess;
  private ended = false;

  constructor(databaseUrl: string, port: number | string = 0) {
    const endWithTest = new URL('end-with-test.mjs', import.meta.url).href;
    this.process = spawn(process.execPath, ['--import', endWithTest, 'scripts/start.mjs'], {
      cwd: checkout,
      env: { ...process.env, DATABASE_URL: databaseUrl, PORT: String(port), INBOX: this.inbox },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    running.add(this);
    inboxes.push(this.inbox);
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
    this.exit = new Promise((resolve) => {
      this.process.on('close', (code) => {
        this.ended = true;
        running.delete(this);
        resolve(code);
      });
    });
  }

  /** Until it has printed something that matches; fails at once if it ends before. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    const look = (): RegExpExecArray | null => pattern.exec(this.output);
    await waitFor(() => look() ?? this.ended, { deadline: 90_000, what: String(pattern) }).catch(
      (error: Error) => {
        throw new Error(`${error.message} It printed:\n${this.output}`, { cause: error });
      },
    );
    const found = look();
    if (found !== null) return found;
    throw new Error(`The sample ended before it printed ${pattern}. It printed:\n${this.output}`);
  }

  /** Its address, once it is up and each tenant has its airports. */
  async ready(): Promise<string> {
    const [, url] = await this.printed(/Listening on (\S+)\. Try:[^]*Ctrl-C stops it\./);
    return url ?? '';
  }

  /** Its exit code. */
  async kill(signal: NodeJS.Signals): Promise<number | null> {
    this.process.kill(signal);
    return this.exit;
  }

  commands(): PrintedCommand[] {
    return this.output
      .split('\n')
      .filter((line) => line.startsWith('  curl '))
      .map((line) => {
        const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(
          ([, quoted, bare]) => quoted ?? bare ?? '',
        );
        const after = (option: string): string[] =>
          words.flatMap((word, i) => (word === option ? [words[i + 1] ?? ''] : []));
        return {
          text: line.trim(),
          method: after('-X')[0] ?? 'GET',
          url: words.find((word) => word.startsWith('http')) ?? '',
          form: new URLSearchParams(after('-d').join('&')),
        };
      });
  }
}
