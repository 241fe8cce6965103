import { readProperty } from './without-secrets.js';

/** The SQLSTATE with which a schema refuses writes, because its tenant moves to another server or has moved. */
export const TENANT_MOVES = 'CLMOV';

/** What the schema says in the error's DETAIL, as JSON. */
export interface MoveRefusal {
  readonly schema: string;
  /** The state of the schema. `stopping` refuses writes in its last phase only. */
  readonly state: 'stopping' | 'moved' | 'arriving';
  /** The name of the other server. */
  readonly peer: string;
  readonly moveId: string;
}

/** What a schema says that refused a statement because of a move. Undefined for any other error. */
export function moveRefusalOf(error: unknown): MoveRefusal | undefined {
  if (readProperty(error, 'code') !== TENANT_MOVES) {
    const inner = readProperty(error, 'driverError');
    return inner === undefined || inner === error ? undefined : moveRefusalOf(inner);
  }
  const detail = readProperty(error, 'detail');
  try {
    return JSON.parse(typeof detail === 'string' ? detail : '') as MoveRefusal;
  } catch {
    // Raised by something else than the fence: it is not known where the tenant is.
    return { schema: '', state: 'stopping', peer: '', moveId: '' };
  }
}
