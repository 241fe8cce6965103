import { Logger } from '@nestjs/common';
import { toStoredError } from '../../errors/index.js';
import type { DefinitionCatalog } from './definition-catalog.js';

/** Stores definitions again that the database has lost, once at a time. */
export class DefinitionRestore {
  private readonly logger = new Logger('Cloacina');
  private running: Promise<void> | undefined;

  constructor(
    private readonly tenant: string,
    private readonly catalog: Pick<DefinitionCatalog, 'registerAgain'>,
  ) {}

  /** Never rejects: a start that still misses them asks again. */
  run(): Promise<void> {
    this.running ??= this.catalog
      .registerAgain()
      .catch((error: unknown) => {
        this.logger.warn(
          `Tenant "${this.tenant}": its workflow definitions could not be stored again: ${toStoredError(error).message}`,
        );
      })
      .finally(() => (this.running = undefined));
    return this.running;
  }
}
