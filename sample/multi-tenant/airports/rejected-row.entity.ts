import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { AirportRow } from './airport-row.js';

/** A row of the data set that broke a rule of the tenant, stored unchanged. */
@Entity('rejected_row')
export class RejectedRow {
  @PrimaryColumn('uuid', { name: 'import_id' })
  importId!: string;

  /** Its position in the data set; the first is 0. */
  @PrimaryColumn('integer', { name: 'row_number' })
  rowNumber!: number;

  /** The rules that it broke. */
  @Column('text', { array: true })
  reasons!: string[];

  @Column('jsonb')
  row!: AirportRow;
}
