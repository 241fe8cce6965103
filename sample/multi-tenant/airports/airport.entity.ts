import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** An airport that passed the tenant's rules. */
@Entity('airport')
export class Airport {
  /** Its number in the data set. */
  @PrimaryColumn('integer')
  id!: number;

  @Column('text')
  name!: string;

  @Column('text', { nullable: true })
  city!: string | null;

  /** The name of a {@link Country}. */
  @Index()
  @Column('text')
  country!: string;

  @Column('text', { nullable: true })
  iata!: string | null;

  @Column('text')
  icao!: string;

  @Column('double precision')
  latitude!: number;

  @Column('double precision')
  longitude!: number;

  @Column('integer', { name: 'elevation_metres' })
  elevationMetres!: number;

  @Column('text', { name: 'time_zone' })
  timeZone!: string;

  /** Distance from the tenant's base along a great circle. */
  @Column('integer', { name: 'distance_km' })
  distanceKm!: number;

  /** The execution that loaded it last. */
  @Column('uuid', { name: 'import_id' })
  importId!: string;
}
