// As root: pm2 start deploy/pm2/ecosystem.config.js && pm2 save && pm2 startup
//
// Gateway and engine each as a user of its own, which only root's PM2 can do. Exit code 78 (a faulty
// configuration) is final; any other end, a kill too, is followed by another start, after a pause that grows
// from 1 s to 15 s and begins anew once the process has been up for 30 s.
//
// PM2 hands the environment of whoever calls it on to what it starts, and `pm2 save` writes it down: what is
// named like a secret stays out. Ours are files.

const root = process.env.MYMT5_ROOT || "/opt/mymt5";

const program = (name) => ({
  name: `mymt5-${name}`,
  cwd: root,
  script: `${root}/target/release/mymt5-${name}`,
  args: ["run", "--config", `config/${name}.toml`],
  interpreter: "none",
  uid: `mymt5-${name}`,
  gid: `mymt5-${name}`,
  exec_mode: "fork",
  autorestart: true,
  stop_exit_codes: [78],
  exp_backoff_restart_delay: 1000,
  kill_timeout: 60000,
  // The process writes its own log. What it says before that, such as each fault of a configuration:
  out_file: `/var/log/mymt5-${name}.out`,
  error_file: `/var/log/mymt5-${name}.out`,
  filter_env: ["MT5_", "BRIDGE_", "SMTP_", "EMAIL_", "TELEGRAM_", "GATEWAY_TOKEN"],
});

module.exports = { apps: [program("gateway"), program("engine")] };
