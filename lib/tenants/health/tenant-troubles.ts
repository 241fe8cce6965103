import type { TenantRuntime } from '../hosting/tenant-runtime.js';
import type { OldestDueTask, TenantTrouble } from './health-report.js';

/** What is wrong with the tenants, from what the process has in memory. */
export function tenantTroubles(
  runtimes: readonly TenantRuntime[],
  notOpened: readonly string[],
  backlogAfterMs: number,
): TenantTrouble[] {
  const found = runtimes.flatMap((runtime) => troublesOf(runtime, backlogAfterMs));
  const unopened = notOpened.map((tenant): TenantTrouble => ({
    tenant,
    trouble: 'notOpened',
    detail: `Tenant ${JSON.stringify(tenant)} was discovered and could not be opened. The log has the error; it is tried again.`,
  }));
  return [...found, ...unopened].sort((a, b) => (a.tenant < b.tenant ? -1 : 1));
}

function troublesOf(runtime: TenantRuntime, backlogAfterMs: number): TenantTrouble[] {
  const { name } = runtime.tenant;
  const tenant = `Tenant ${JSON.stringify(name)}`;
  const troubles: TenantTrouble[] = [];
  if (runtime.arrival?.isRefused === true) {
    const detail = `${tenant}: its server answers now, and the tenant could not be opened. The log has the error; it is tried again.`;
    return [{ tenant: name, trouble: 'notOpened', detail }];
  }
  if (runtime.arrival?.isAway === true) {
    const server = JSON.stringify(runtime.options.server);
    const detail = `${tenant}: its server ${server} could not be reached at the boot. The tenant is served as soon as it answers.`;
    // The rest is not known before that.
    return [{ tenant: name, trouble: 'serverAway', detail }];
  }
  const { moves } = runtime;
  if (moves?.isMoving === true) {
    const to = JSON.stringify(moves.movesTo);
    const detail = moves.isLeaving
      ? `${tenant}: it has moved to server ${to}, where this process does not serve it yet.`
      : `${tenant}: it moves to server ${to}. Nothing of it is claimed until the move has ended.`;
    // What the schema refuses now is no fault of it.
    return [{ tenant: name, trouble: 'moving', detail }];
  }
  if (runtime.group.recovery.isBroken(name)) {
    const detail = `${tenant}: its tables can't be read or changed. The log of CloacinaRecovery has the error.`;
    troubles.push({ tenant: name, trouble: 'schema', detail });
  }
  const due = oldestDueOf(runtime);
  if (due !== undefined && due.dueForMs >= backlogAfterMs) {
    const detail = `${tenant}: a task has been due since ${due.dueSince.toISOString()}, and no process claims it. runner.explain() tells why.`;
    troubles.push({ tenant: name, trouble: 'backlog', detail });
  }
  const hung = runtime.engine.hungHandlers().filter(({ keepsSlot }) => keepsSlot).length;
  if (hung > 0) {
    const detail = `${tenant}: ${hung} handlers ignore their aborted signals and keep slots of this process.`;
    troubles.push({ tenant: name, trouble: 'hungHandlers', detail });
  }
  const { archiveFailures } = runtime.engine.retention;
  if (archiveFailures > 0) {
    const detail = `${tenant}: the archive has failed (${archiveFailures} in a row), so ended executions are kept. runner.retentionState() has the error.`;
    troubles.push({ tenant: name, trouble: 'archive', detail });
  }
  return troubles;
}

/**
 * The oldest due task without a limit, as the latest sweep found it. Tasks with a limit may stay due while their key is full,
 * and so may those of paused workflows: no sweep tells these from others, so a tenant with a paused workflow has none.
 */
export function oldestDueOf({ tenant, engine }: TenantRuntime): OldestDueTask | undefined {
  const { seenDue } = engine.self;
  if (seenDue === undefined || engine.workflows.pauses.areSome) return undefined;
  const inMs = Math.min(
    ...seenDue.due.filter(({ kind }) => kind === 'task').map((due) => due.inMs),
  );
  if (!Number.isFinite(inMs) || inMs > 0) return undefined;
  const dueSince = new Date(seenDue.at + inMs);
  return { tenant: tenant.name, dueSince, dueForMs: -inMs, asOf: new Date(seenDue.at) };
}
