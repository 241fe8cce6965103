import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('country')
export class Country {
  /** As the data set spells it. */
  @PrimaryColumn('text')
  name!: string;

  /** ISO 3166-1 alpha-2; null where the data set's name is none that ISO knows. */
  @Column('text', { nullable: true })
  code!: string | null;
}
