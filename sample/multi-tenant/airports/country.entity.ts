import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('country')
export class Country {
  /** In the spelling of the data set. */
  @PrimaryColumn('text')
  name!: string;

  /** ISO 3166-1 alpha-2; null if the name is not in ISO 3166-1. */
  @Column('text', { nullable: true })
  code!: string | null;
}
