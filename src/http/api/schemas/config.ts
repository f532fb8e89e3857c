import Type from 'typebox';

export const ConfigAnswer = Type.Record(Type.String(), Type.Unknown(), {
  title: 'Config',
  description: 'The settings in effect, by section. Secrets, and credentials in URLs, are `(redacted)`.',
});
