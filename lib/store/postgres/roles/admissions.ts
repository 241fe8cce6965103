import { PostgresRole } from './postgres-role.js';
import { insertSlots } from '../insert-slots.js';
import {
  readAdmissionKeys,
  readAdmissionPage,
  readAdmissionStates,
  readWaitingKeys,
} from '../statements/admission-keys.js';
import { admissionReplyOf, admitExecutions, admitValues } from '../statements/admit-executions.js';
import { admissionKeyRange } from '../../../workflow/admission.js';
import { plainArray } from '../statements/encoding.js';
import type {
  AdmissionKeyRow,
  AdmissionLook,
  AdmissionPage,
  AdmissionReply,
  AdmissionStore,
} from '../../port/index.js';

/** Admits whole executions, on PostgreSQL. */
export class PostgresAdmissionStore extends PostgresRole implements AdmissionStore {
  use(): void {
    this.db.tables.limits.admit = true;
  }

  async waitingKeys(after: string | null, count: number): Promise<string[]> {
    const rows = await this.db.hot.run(readWaitingKeys, [after ?? '', count]);
    return rows.map(({ key }) => key);
  }

  async keysOf(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const rows = await this.db.hot.run(readAdmissionKeys, [plainArray(ids)]);
    return new Map(rows.map(({ id, key }) => [id, key]));
  }

  async admit(looks: readonly AdmissionLook[]): Promise<AdmissionReply> {
    await insertSlots(
      this.db,
      looks.map(({ key }) => key),
    );
    const reply = admissionReplyOf(await this.db.hot.run(admitExecutions, admitValues(looks)));
    for (const { key, fate } of reply.keys) {
      if (fate === 'locked') this.db.tables.limits.doubt(key);
    }
    return reply;
  }

  async page({ workflow, after, count }: AdmissionPage): Promise<AdmissionKeyRow[]> {
    const [from, to] = admissionKeyRange(workflow);
    return this.db.cold.run(readAdmissionPage, [after ?? from, to, count]);
  }

  async states(keys: readonly string[]): Promise<AdmissionKeyRow[]> {
    return this.db.cold.run(readAdmissionStates, [JSON.stringify(keys)]);
  }
}
