// Before the first paint: the theme that was chosen here earlier. Without a choice the page follows the system.
try {
  const theme = localStorage.getItem("homespun-report-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch { /* storage is off: follow the system */ }
document.documentElement.classList.add("scripted");
