/** Where each contender is. A process loads only the one it runs. */
const FILES = {
  'nestjs-cloacina': ['../peers/cloacina.mjs', 'cloacina'],
  'graphile-worker': ['../peers/graphile-worker.mjs', 'graphileWorker'],
  'pg-boss': ['../peers/pg-boss.mjs', 'pgBoss'],
  DBOS: ['../peers/dbos.mjs', 'dbos'],
  OpenWorkflow: ['../peers/openworkflow.mjs', 'openWorkflow'],
  Restate: ['../peers/restate.mjs', 'restate'],
  'nestjs-cloacina limits': ['../peers/limits-cloacina.mjs', 'limitsCloacina'],
  'pg-boss limits': ['../peers/limits-pg-boss.mjs', 'limitsPgBoss'],
  'DBOS limits': ['../peers/limits-dbos.mjs', 'limitsDbos'],
};

export const OURS = 'nestjs-cloacina';

/** Whether a contender is this library, in whatever scenario. */
export function isOurs(name) {
  return name === OURS || name.startsWith(`${OURS} `);
}

export async function loadContender(name) {
  const [file, member] = FILES[name];
  return (await import(file))[member];
}

/** `name` in each of its configurations, or in those that are asked for. One that is not at hand is left out, with a word. */
export async function entriesOf(wanted) {
  const entries = [];
  for (const [name, configurations] of Object.entries(wanted)) {
    const contender = await loadContender(name);
    const absent = contender.absent?.();
    if (absent !== undefined) {
      console.log(`  ${name} is left out: ${absent}.`);
      continue;
    }
    for (const configuration of configurations ?? Object.keys(contender.configurations)) {
      if (contender.configurations[configuration] === undefined)
        throw new Error(`${name} has no configuration "${configuration}".`);
      entries.push({ contender, name, configuration, label: `${name}, ${configuration}` });
    }
  }
  return entries;
}
