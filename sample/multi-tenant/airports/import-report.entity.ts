import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The result of one import. */
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

  /** The number of rows that broke each rule. A row may break several. */
  @Column('jsonb', { name: 'reject_reasons' })
  rejectReasons!: Record<string, number>;

  /** The three countries with the most loaded airports, in descending order. */
  @Column('jsonb', { name: 'top_countries' })
  topCountries!: CountryCount[];

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt!: Date;
}

export interface CountryCount {
  country: string;
  airports: number;
}
