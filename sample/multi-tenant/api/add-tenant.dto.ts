import { Matches } from 'class-validator';

export class AddTenantDto {
  @Matches(/^[a-z][a-z0-9_]{0,39}$/, {
    message: 'name must be a lower-case letter, then letters, digits and underscores, 40 at most',
  })
  name!: string;
}
