import { Logger } from '@nestjs/common';
import { toStoredError } from '../../errors/index.js';
import type { DefinitionCatalog } from './definition-catalog.js';

/**
 * Stores again what the database has lost of that which a process stores at its boot: the definitions, with their subscriptions
 * to events, and the schedules of the code. Calls while it runs share its result.
 */
export class DefinitionRestore {
  private readonly logger = new Logger('Cloacina');
  private running: Promise<void> | undefined;

  constructor(
    private readonly tenant: string,
    private readonly catalog: Pick<DefinitionCatalog, 'isOpen' | 'registerAgain' | 'restoreLost'>,
    private readonly restoreSchedules: () => Promise<void> = () => Promise.resolve(),
  ) {}

  /** Never rejects. After a failure the next start that misses its definition calls it again. */
  run(): Promise<void> {
    this.running ??= this.catalog
      .registerAgain()
      // The schedules of the code were probably lost with them.
      .then(() => this.restoreSchedules())
      .catch((error: unknown) => {
        this.logger.warn(
          `Tenant "${this.tenant}": storing its lost workflow definitions again failed: ${toStoredError(error).message}`,
        );
      })
      .finally(() => (this.running = undefined));
    return this.running;
  }

  /**
   * Call when the database may have gone back in time. Rejects after a failure; then call it again. Returns whether
   * definitions were lost.
   */
  async look(): Promise<boolean> {
    // What is not stored yet is stored by the boot.
    if (!this.catalog.isOpen) return false;
    const wereLost = await this.catalog.restoreLost();
    await this.restoreSchedules();
    return wereLost;
  }
}
