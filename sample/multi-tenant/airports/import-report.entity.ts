import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What came out of one import. */
@Entity('import_report')
export class ImportReport {
  @PrimaryColumn('uuid', { name: 'import_id' })
  importId!: string;

  /** The version of the data set. */
  @Column('text')
  version!: string;

  @Column('integer')
  rows!: number;

  @Column('integer')
  loaded!: number;

  @Column('integer')
  rejected!: number;

  /** Rows by the rule that they broke. A row may break several. */
  @Column('jsonb', { name: 'reject_reasons' })
  rejectReasons!: Record<string, number>;

  /** The three countries with most airports loaded, most first. */
  @Column('jsonb', { name: 'top_countries' })
  topCountries!: CountryCount[];

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt!: Date;
}

export interface CountryCount {
  country: string;
  airports: number;
}
