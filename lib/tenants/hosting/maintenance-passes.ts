import { SettlePass } from '../../engine/children/settle-pass.js';
import { LimitPass } from '../../engine/limits/limit-pass.js';
import { PausePass } from '../../engine/pauses/pause-pass.js';
import { AnnouncePass } from '../../engine/process/announce-pass.js';
import type { ProcessEngine } from '../../engine/process/process-engine.js';
import { AgingPass } from '../../engine/queues/aging-pass.js';
import { RetentionPass } from '../../engine/retention/retention-pass.js';
import { HistoryPass } from '../../engine/schedules/history-pass.js';
import type { MaintenanceSweep } from '../../maintenance/sweep.js';
import type { Clock } from '../../runtime/clock.js';
import type pg from 'pg';
import { READABLE_FORMATS } from '../../workflow/index.js';
import { MovePass } from '../moving/move-pass.js';
import type { GroupSession } from './storage-override.js';

export interface MaintenancePassesParts {
  readonly clock: Clock;
  readonly sweep: MaintenanceSweep;
  readonly process: ProcessEngine<GroupSession>;
  /** Undefined if the tenants are not on PostgreSQL. */
  readonly pool: (() => pg.Pool) | undefined;
}

/** Registers the passes of the sweep over the tenants of a login, except recovery, which registers itself. */
export function registerPasses({ clock, sweep, process, pool }: MaintenancePassesParts): {
  readonly pauses: PausePass;
  readonly moves: MovePass | undefined;
  readonly announcements: AnnouncePass;
} {
  const session = (): GroupSession | undefined => process.session;
  // A tenant that moves must not be written, and one statement has many tenants.
  const tenants = (names: readonly string[]) =>
    process.named(names).filter(({ isMoving }) => !isMoving);
  const pauses = new PausePass({ session, tenants });
  const announcements = new AnnouncePass({
    clock,
    session,
    identity: () => ({
      processId: process.processId,
      name: process.processName,
      format: Math.max(...READABLE_FORMATS),
    }),
    tenants: () => process.all.filter(({ isMoving }) => !isMoving),
    named: tenants,
    plan: () => sweep.plan(),
  });
  sweep.register(new SettlePass({ session, tenants }));
  sweep.register(new LimitPass(tenants));
  sweep.register(new HistoryPass(tenants));
  sweep.register(pauses);
  sweep.register(new AgingPass({ isConnected: () => process.session !== undefined, tenants }));
  sweep.register(announcements);
  sweep.register(new RetentionPass(tenants));
  const moves =
    pool === undefined
      ? undefined
      : new MovePass({
          pool,
          tenants: (names) => process.named(names),
          all: () => process.all,
        });
  if (moves !== undefined) sweep.register(moves);
  return { pauses, moves, announcements };
}
