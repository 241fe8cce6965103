import { spawn } from 'node:child_process';
import path from 'node:path';

export const checkout = path.resolve(import.meta.dirname, '..');

/** Runs a program in the checkout with this process's input and output, and returns its exit code. */
export function exitCodeOf(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: checkout, stdio: 'inherit', ...options });
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 143)));
  });
}

/** A program said itself what went wrong: its caller's stack says nothing more. */
class CommandFailed extends Error {}

/** As above; throws unless it succeeds. */
export async function run(command, args, options) {
  const code = await exitCodeOf(command, args, options);
  if (code !== 0)
    throw new CommandFailed(`${[path.basename(command), ...args].join(' ')} failed (${code})`);
}

/** What a program that succeeds prints. */
export async function outputOf(command, args, options) {
  let output = '';
  const code = await new Promise((resolve, reject) => {
    const stdio = ['ignore', 'pipe', 'inherit'];
    const child = spawn(command, args, { cwd: checkout, ...options, stdio });
    child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) throw new CommandFailed(`${path.basename(command)} failed (${code}): ${output}`);
  return output;
}

export function runNode(args, options) {
  return run(process.execPath, args, options);
}

/** npm, by the very file that runs this script where npm runs it. */
export function runNpm(args, options) {
  const cli = process.env.npm_execpath;
  return cli?.endsWith('npm-cli.js') ? runNode([cli, ...args], options) : run('npm', args, options);
}

/** Runs a script's work, and makes its failure the exit code. */
export async function main(work) {
  try {
    await work();
  } catch (error) {
    console.error(error instanceof CommandFailed ? error.message : error);
    process.exit(1);
  }
}

/** Whether a module is the script that was started, and not imported by another. */
export function isMain(meta) {
  return path.resolve(process.argv[1] ?? '') === meta.filename;
}
