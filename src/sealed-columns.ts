import { sealedClientSecrets } from './apps/clients/secrets/sealed.ts';
import { sealedDeploymentKeys } from './apps/keys/deployment/sealed.ts';
import { sealedSigningKeys } from './apps/keys/sealed.ts';
import { sealedSubjectSalts } from './apps/subjects/sealed.ts';
import { sealedHookSecrets, sealedPreviousHookSecrets } from './apps/token-hook/sealed.ts';
import { sealedJobs } from './delivery/jobs/sealed.ts';
import type { SealedColumn } from './storage/reseal.ts';
import { sealedTotpSeeds } from './users/totp/sealed.ts';
import { sealedAnswers } from './surfaces/admin-api/idempotency/sealed.ts';

/** Every column that holds envelopes: what is not listed here would be lost with an old ENCRYPTION_KEY. */
export const sealedColumns: readonly SealedColumn[] = [
  sealedClientSecrets,
  sealedSigningKeys,
  sealedDeploymentKeys,
  sealedHookSecrets,
  sealedPreviousHookSecrets,
  sealedSubjectSalts,
  sealedTotpSeeds,
  sealedJobs,
  sealedAnswers,
];
