import { PassThrough } from 'node:stream';
import { main } from '../../lib/cli/main.js';
import { databaseUrl } from './postgres.js';

export interface CliOutput {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The document of --json. */
  json<T = Record<string, unknown>>(): T;
}

export interface CliInput {
  /** Default: DATABASE_URL of the test file. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Keys of a person at a terminal. Default: no terminal. */
  readonly keys?: string;
  /** Whether standard output is a terminal with colors. Default: false. */
  readonly isColored?: boolean;
}

/** Runs a command of the command line in this process, as one without a terminal. */
export async function runCli(args: readonly string[], input: CliInput = {}): Promise<CliOutput> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const texts = [stdout, stderr].map(collect);
  if (input.keys === undefined) stdin.end(input.stdin ?? '');
  else stdin.write(input.keys);
  const code = await main(args, {
    stdin,
    stdout,
    stderr,
    env: input.env ?? { DATABASE_URL: databaseUrl() },
    isInteractive: input.keys !== undefined,
    isColored: input.isColored ?? false,
  });
  const [out = '', err = ''] = texts.map((text) => text());
  return { code, stdout: out, stderr: err, json: <T>() => JSON.parse(out) as T };
}

function collect(stream: PassThrough): () => string {
  let text = '';
  stream.setEncoding('utf8').on('data', (part: string) => (text += part));
  return () => text;
}
