import { CloacinaAdmin, type MovePhase } from '../../../lib/index.js';
import { Logger } from '@nestjs/common';
import { CreateEffects1700000000001 } from './effects.js';
import { CreateShop1700000000000 } from './shop.js';

/** What the process does: it moves a tenant, and kills itself when that phase begins. */
export interface Moving {
  readonly schema: string;
  readonly to: string;
  readonly servers: Readonly<Record<string, string>>;
  readonly dieAt?: MovePhase;
  readonly migrations: 'shop' | 'effects';
}

export type MovingMessage =
  | { readonly phase: MovePhase; readonly at: number }
  | {
      readonly done: true;
      readonly code?: string;
      readonly isUndone?: boolean;
      readonly text?: string;
    };

Logger.overrideLogger(false);
const { schema, to, servers, dieAt, migrations }: Moving = JSON.parse(
  process.env['MOVING'] ?? '{}',
);
const admin = new CloacinaAdmin({
  servers: Object.fromEntries(
    Object.entries(servers).map(([name, databaseUrl]) => [name, { databaseUrl }]),
  ),
});
const tell = (message: MovingMessage): void => void process.send?.(message);
let seen: MovePhase | undefined;
await admin
  .moveTenant({
    schema,
    to,
    migrations: [migrations === 'shop' ? CreateShop1700000000000 : CreateEffects1700000000001],
    onProgress: ({ phase }) => {
      if (phase === seen) return;
      seen = phase;
      tell({ phase, at: Math.round(performance.now()) });
      if (phase === dieAt) process.kill(process.pid, 'SIGKILL');
    },
  })
  .then(
    () => tell({ done: true }),
    (error: unknown) => {
      const { code, isUndone, message } = error as {
        code: string;
        isUndone: boolean;
        message: string;
      };
      tell({ done: true, code, isUndone, text: message });
    },
  );
process.disconnect?.();
