/** Name of the tracer and of the meter. */
export const SCOPE = 'nestjs-cloacina';

/** Attributes of spans and measurements, by the semantic conventions where these have one. */
export const ATTRIBUTE = {
  attempt: 'cloacina.attempt.number',
  cause: 'cloacina.recovery.cause',
  created: 'cloacina.execution.created',
  errorType: 'error.type',
  execution: 'cloacina.execution.id',
  item: 'cloacina.task.item',
  kind: 'cloacina.batch.kind',
  maxAttempts: 'cloacina.attempt.max',
  outcome: 'cloacina.attempt.outcome',
  poolName: 'db.client.connection.pool.name',
  server: 'cloacina.server',
  poolState: 'db.client.connection.state',
  recoveryAttempt: 'cloacina.attempt.recovery',
  status: 'cloacina.status',
  task: 'cloacina.task',
  tenant: 'cloacina.tenant',
  workflow: 'cloacina.workflow',
  destination: 'messaging.destination.name',
  operationName: 'messaging.operation.name',
  operationType: 'messaging.operation.type',
  system: 'messaging.system',
} as const;

/** Names of the metrics, by the semantic conventions where these have one. */
export const METRIC = {
  attemptDuration: 'cloacina.attempt.duration',
  backlogAge: 'cloacina.backlog.oldest_age',
  backlogDue: 'cloacina.backlog.due',
  batchSize: 'cloacina.batch.size',
  claimsLost: 'cloacina.claim.lost',
  executionDuration: 'cloacina.execution.duration',
  executionsEnded: 'cloacina.execution.ended',
  executionsStarted: 'cloacina.execution.started',
  poolCount: 'db.client.connection.count',
  poolMax: 'db.client.connection.max',
  poolPending: 'db.client.connection.pending_requests',
  recoveryDuration: 'cloacina.recovery.duration',
  scheduleLag: 'cloacina.schedule.lag',
  slotLimit: 'cloacina.slot.limit',
  slotQueued: 'cloacina.slot.queued',
  slotUsed: 'cloacina.slot.used',
  taskWait: 'cloacina.task.wait.duration',
  tasksEnded: 'cloacina.task.ended',
  tasksRecovered: 'cloacina.task.recovered',
  tasksRetried: 'cloacina.task.retried',
} as const;
