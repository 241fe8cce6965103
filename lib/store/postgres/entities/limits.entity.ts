import { EntitySchema } from 'typeorm';
import { SERVER_CLOCK } from '../statements/sql-clock.js';

/** Numbers of a limit that were set at run time, as read through TypeORM. bigint is returned as text. */
export interface LimitRow {
  name: string;
  concurrency: number | null;
  total: number | null;
  rate: number | null;
  rateMs: string | null;
  burst: number | null;
  updatedAt: Date;
}

/** A key of a limit, as read through TypeORM. The arrays `h…` have one place for each holder of a slot. */
export interface LimitSlotRow {
  limitKey: string;
  concurrency: number | null;
  rate: number | null;
  rateMs: string | null;
  burst: number | null;
  weight: number | null;
  nextTokenAt: Date | null;
  hExecution: string[];
  hTask: number[];
  hItem: number[];
  hToken: string[];
  hAt: Date[];
}

export const LimitEntity = new EntitySchema<LimitRow>({
  name: 'CloacinaLimit',
  tableName: 'cloacina_limit',
  synchronize: false,
  columns: {
    name: { name: 'name', type: 'text', primary: true },
    concurrency: { name: 'concurrency', type: 'integer', nullable: true },
    total: { name: 'total', type: 'integer', nullable: true },
    rate: { name: 'rate', type: 'integer', nullable: true },
    rateMs: { name: 'rate_ms', type: 'bigint', nullable: true },
    burst: { name: 'burst', type: 'integer', nullable: true },
    updatedAt: { name: 'updated_at', type: 'timestamptz', default: () => SERVER_CLOCK.now },
  },
});

const NO_HOLDERS = { array: true, default: () => "'{}'" } as const;

export const LimitSlotEntity = new EntitySchema<LimitSlotRow>({
  name: 'CloacinaLimitSlot',
  tableName: 'cloacina_limit_slot',
  synchronize: false,
  columns: {
    limitKey: { name: 'limit_key', type: 'text', primary: true },
    concurrency: { name: 'concurrency', type: 'integer', nullable: true },
    rate: { name: 'rate', type: 'integer', nullable: true },
    rateMs: { name: 'rate_ms', type: 'bigint', nullable: true },
    burst: { name: 'burst', type: 'integer', nullable: true },
    weight: { name: 'weight', type: 'integer', nullable: true },
    nextTokenAt: { name: 'next_token_at', type: 'timestamptz', nullable: true },
    hExecution: { name: 'h_execution', type: 'uuid', ...NO_HOLDERS },
    hTask: { name: 'h_task', type: 'integer', ...NO_HOLDERS },
    hItem: { name: 'h_item', type: 'integer', ...NO_HOLDERS },
    hToken: { name: 'h_token', type: 'bigint', ...NO_HOLDERS },
    hAt: { name: 'h_at', type: 'timestamptz', ...NO_HOLDERS },
  },
});
