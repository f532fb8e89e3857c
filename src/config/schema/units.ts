export const ONE_DAY_MS = 86_400_000;
