import type { DatabaseHealth, HealthReport, TenantTrouble } from './health-report.js';

/** What the verdict follows from. */
export interface HealthFacts {
  /** Whether the application has bootstrapped, so that its tenants claim. */
  readonly isClaiming: boolean;
  readonly isStopping: boolean;
  /** Whether a tenant has slots in this process. */
  readonly runsTasks: boolean;
  /** Whether the limit of given-up handlers is reached, so that only a restart frees slots. */
  readonly needsRestart: boolean;
  readonly total: number;
  readonly paused: number;
  readonly databases: readonly DatabaseHealth[];
  readonly troubles: readonly TenantTrouble[];
}

/** Max number of troubles of tenants among the reasons. */
const MAX_REASONS = 3;

/** Decides what the facts mean for an orchestrator. */
export function verdictOf(
  facts: HealthFacts,
): Pick<HealthReport, 'status' | 'isLive' | 'isReady' | 'reasons'> {
  const { isClaiming, isStopping, databases, runsTasks, needsRestart } = facts;
  const answers = databases.some(({ isUp }) => isUp);
  const isReady = isClaiming && !isStopping && (answers || databases.length === 0);
  const claims = databases.some(
    ({ isUp, controlConnection }) => isUp && controlConnection !== 'lost',
  );
  const isDown = !isReady || (runsTasks && databases.length > 0 && !claims);
  const reasons = reasonsOf(facts);
  const status = isDown ? 'down' : reasons.length > 0 ? 'degraded' : 'up';
  return { status, isLive: !needsRestart, isReady, reasons };
}

function reasonsOf(facts: HealthFacts): string[] {
  const { isClaiming, isStopping, databases, runsTasks, total, paused, troubles } = facts;
  const reasons: string[] = [];
  if (isStopping) reasons.push('The process shuts down.');
  else if (!isClaiming)
    reasons.push('The application has not bootstrapped yet, so nothing is claimed.');
  if (facts.needsRestart) {
    reasons.push(
      'Too many handlers that ignore their signals were given up, so further hung handlers keep their slots. Restart the process.',
    );
  }
  for (const { server, database, isUp, error, controlConnection } of databases) {
    const of = server === undefined ? '' : ` of server ${JSON.stringify(server)}`;
    if (!isUp) reasons.push(`Database ${database}${of} does not answer: ${error ?? 'unknown'}`);
    else if (controlConnection === 'lost') {
      reasons.push(
        `The control connection to ${database}${of} is lost. Nothing is claimed there until it is back.`,
      );
    }
  }
  if (runsTasks && total > 0 && paused === total) {
    reasons.push('Claiming is paused for all tenants of this process.');
  }
  reasons.push(...troubles.slice(0, MAX_REASONS).map(({ detail }) => detail));
  const more = troubles.length - MAX_REASONS;
  if (more > 0) reasons.push(`${more} more problems of tenants.`);
  return reasons;
}
