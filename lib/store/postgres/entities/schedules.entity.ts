import { EntitySchema } from 'typeorm';
import { SERVER_CLOCK } from '../statements/sql-clock.js';

/** A schedule, as read through TypeORM. */
export interface ScheduleRow {
  name: string;
  workflow: string;
  spec: unknown;
  input: unknown;
  origin: 'code' | 'api';
  state: 'active' | 'paused' | 'ended' | 'broken';
  reason: string | null;
  version: number;
  nextFor: Date | null;
  nextAt: Date | null;
  lastFiredFor: Date | null;
  lastExecutionId: string | null;
  lastError: unknown;
  createdAt: Date;
  updatedAt: Date;
}

/** What came of one firing of a schedule, as read through TypeORM. */
export interface ScheduleFiringRow {
  schedule: string;
  scheduledFor: Date;
  outcome: string;
  executionId: string | null;
  /** How an execution ended that was deleted since. */
  ended: string | null;
  until: Date | null;
  count: number;
  dueAt: Date | null;
  firedAt: Date;
}

/** State of the library by name, as read through TypeORM. */
export interface StateRow {
  name: string;
  value: unknown;
  createdAt: Date;
  updatedAt: Date;
}

const NOW = { type: 'timestamptz', default: () => SERVER_CLOCK.now } as const;

export const ScheduleEntity = new EntitySchema<ScheduleRow>({
  name: 'CloacinaSchedule',
  tableName: 'cloacina_schedule',
  synchronize: false,
  columns: {
    name: { name: 'name', type: 'text', primary: true },
    workflow: { name: 'workflow', type: 'text' },
    spec: { name: 'spec', type: 'json' },
    input: { name: 'input', type: 'json', nullable: true },
    origin: { name: 'origin', type: 'text' },
    state: { name: 'state', type: 'text' },
    reason: { name: 'reason', type: 'text', nullable: true },
    version: { name: 'version', type: 'integer', default: 1 },
    nextFor: { name: 'next_for', type: 'timestamptz', nullable: true },
    nextAt: { name: 'next_at', type: 'timestamptz', nullable: true },
    lastFiredFor: { name: 'last_fired_for', type: 'timestamptz', nullable: true },
    lastExecutionId: { name: 'last_execution_id', type: 'uuid', nullable: true },
    lastError: { name: 'last_error', type: 'json', nullable: true },
    createdAt: { name: 'created_at', ...NOW },
    updatedAt: { name: 'updated_at', ...NOW },
  },
});

export const ScheduleFiringEntity = new EntitySchema<ScheduleFiringRow>({
  name: 'CloacinaScheduleFiring',
  tableName: 'cloacina_schedule_firing',
  synchronize: false,
  columns: {
    schedule: { name: 'schedule', type: 'text', primary: true },
    scheduledFor: { name: 'scheduled_for', type: 'timestamptz', primary: true },
    outcome: { name: 'outcome', type: 'text' },
    executionId: { name: 'execution_id', type: 'uuid', nullable: true },
    ended: { name: 'ended', type: 'text', nullable: true },
    until: { name: 'until', type: 'timestamptz', nullable: true },
    count: { name: 'count', type: 'integer', default: 1 },
    dueAt: { name: 'due_at', type: 'timestamptz', nullable: true },
    firedAt: { name: 'fired_at', ...NOW },
  },
});

export const StateEntity = new EntitySchema<StateRow>({
  name: 'CloacinaState',
  tableName: 'cloacina_state',
  synchronize: false,
  columns: {
    name: { name: 'name', type: 'text', primary: true },
    value: { name: 'value', type: 'json', nullable: true },
    createdAt: { name: 'created_at', ...NOW },
    updatedAt: { name: 'updated_at', ...NOW },
  },
});
