import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';

/** What the figures were measured on and with; a figure means nothing without it. */
export async function describeMachine(server) {
  const settings = await server.settings();
  return {
    date: new Date().toISOString(),
    node: process.version,
    postgresql: settings,
    cores: os.availableParallelism(),
    processor: os.cpus()[0]?.model.trim() ?? '',
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.release()}`,
    loadBefore: Number(os.loadavg()[0].toFixed(2)),
    versions: contenderVersions(),
  };
}

function contenderVersions() {
  const { dependencies } = packageAt('../package.json');
  const { postgres: _postgres, ...peers } = dependencies;
  const ours = [packageAt('../../package.json').version, revision()].filter(Boolean).join(' at ');
  return { 'nestjs-cloacina': ours, ...peers };
}

/** The commit that is measured, where this is a checkout; marked when files differ from it. */
function revision() {
  try {
    const options = {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    };
    return execFileSync('git', ['describe', '--always', '--dirty', '--exclude=*'], options).trim();
  } catch {
    return undefined;
  }
}

function packageAt(relative) {
  return JSON.parse(readFileSync(new URL(relative, import.meta.url), 'utf8'));
}

export function machineLine({ node, postgresql, cores, processor, memoryGiB, system, loadBefore }) {
  return (
    `Node ${node}, PostgreSQL ${postgresql.version} (fsync ${postgresql.fsync}, synchronous_commit ` +
    `${postgresql.synchronous_commit}, shared_buffers ${postgresql.shared_buffers}); ${cores} cores, ${processor}, ` +
    `${memoryGiB} GiB, ${system}; load before: ${loadBefore}`
  );
}

export function versionsLine({ versions }) {
  return Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
}
