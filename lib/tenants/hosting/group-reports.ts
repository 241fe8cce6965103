import { Logger } from '@nestjs/common';
import { toStoredError } from '../../errors/index.js';

/** The regular look at the tenants of a login fails, and will be repeated. */
export function reportFailingSweep(seconds: number, error: unknown): void {
  new Logger('CloacinaRecovery').warn(
    `The regular look at the tenants of a login, which finds lost processes and missed work, has failed for ${seconds} s ` +
      `and will be repeated: ${toStoredError(error).message}`,
  );
}

/** The deletion of ended executions waits because the work of the process does. */
export function reportStoppedDeletion(ms: number): void {
  new Logger('Cloacina').warn(
    `Ended executions have not been deleted for ${Math.round(ms / 1_000)} s, because the starts and statements that wait ` +
      'for the database grow in number. The deletion continues when they do not.',
  );
}
