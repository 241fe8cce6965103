import { MemoryRole } from './memory-role.js';
import { admissionPage, admissionStates, admit, waitingKeys } from '../memory-admissions.js';
import type {
  AdmissionKeyRow,
  AdmissionLook,
  AdmissionPage,
  AdmissionReply,
  AdmissionStore,
} from '../../../store/port/index.js';

/** Admits whole executions, in memory. */
export class MemoryAdmissionStore extends MemoryRole implements AdmissionStore {
  /** A sweep in memory always looks for executions that wait for their turn. */
  use(): void {}

  waitingKeys(after: string | null, count: number): Promise<string[]> {
    return this.run((tables) => waitingKeys(tables, after, count));
  }

  keysOf(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.run(
      ({ executions }) =>
        new Map(
          ids.flatMap((id) => {
            const key = executions.get(id)?.admissionKey ?? null;
            return key === null ? [] : [[id, key] as const];
          }),
        ),
    );
  }

  admit(looks: readonly AdmissionLook[]): Promise<AdmissionReply> {
    return this.run((tables) => admit(tables, looks));
  }

  page(page: AdmissionPage): Promise<AdmissionKeyRow[]> {
    return this.run((tables) => admissionPage(tables, page));
  }

  states(keys: readonly string[]): Promise<AdmissionKeyRow[]> {
    return this.run((tables) => admissionStates(tables, keys));
  }
}
