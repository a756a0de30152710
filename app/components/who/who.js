// Remembers in this browser by which name somebody labels, so that a reload does not forget it.
//
// In (data): { name }. Nothing comes out: the server reads the cookie when a session begins.

export default function ({ data }) {
  const year = 365 * 24 * 3600;
  document.cookie = `sky_ssl_labeller=${encodeURIComponent(data.name)}; path=/; max-age=${year}; SameSite=Strict`;
}
