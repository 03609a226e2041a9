@echo off
rem What the task starts: C:\mymt5\bridge.cmd. The secret is in a file that user mt5 alone may read.
set BRIDGE_SECRET_FILE=C:\mymt5\secret.txt
C:\mymt5\python\python.exe C:\mymt5\mymt5_bridge.py --tls-certificate C:\mymt5\certificate.pem --tls-key C:\mymt5\key.pem --terminal-path C:\mymt5\terminal\terminal64.exe --portable 2>> C:\mymt5\bridge.log
exit /b %ERRORLEVEL%
