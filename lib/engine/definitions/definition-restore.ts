import { Logger } from '@nestjs/common';
import { toStoredError } from '../../errors/index.js';
import type { DefinitionCatalog } from './definition-catalog.js';

/** Stores definitions again that the database has lost. Calls while it runs share its result. */
export class DefinitionRestore {
  private readonly logger = new Logger('Cloacina');
  private running: Promise<void> | undefined;

  constructor(
    private readonly tenant: string,
    private readonly catalog: Pick<DefinitionCatalog, 'registerAgain'>,
  ) {}

  /** Never rejects. After a failure the next start that misses its definition calls it again. */
  run(): Promise<void> {
    this.running ??= this.catalog
      .registerAgain()
      .catch((error: unknown) => {
        this.logger.warn(
          `Tenant "${this.tenant}": storing its lost workflow definitions again failed: ${toStoredError(error).message}`,
        );
      })
      .finally(() => (this.running = undefined));
    return this.running;
  }
}
