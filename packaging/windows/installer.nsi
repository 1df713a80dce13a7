; The setup program for Windows: for one person, without administrator rights.
;
; Made by packaging/installers/windows.py, which defines VERSION, NUMBERS (four of them), SIZE (in
; kB), ICON, OUTPUT and LISTS, a folder with install.nsh and remove.nsh: one line for each
; file of this version, so that nothing else is ever removed.
;
; Silent: setup.exe /S [/D=C:\some\folder]. The exit status is 0, 2 when a file could not be
; written, 3 when the program runs, 4 when the installed version could not be removed, 5 when
; Windows is too old.

Unicode true
Target amd64-unicode
SetCompressor /SOLID lzma
SetCompressorDictSize 64
SetDateSave on

!include MUI2.nsh
!include LogicLib.nsh
!include FileFunc.nsh
!include WinVer.nsh

!define NAME "Wallet GUI"
!define PUBLISHER "The Wallet GUI developers"
!define DESCRIPTION "A Bitcoin wallet that needs nobody's server"
!define PROGRAM "wallet-gui-window.exe"
!define COMMAND_LINE "wallet-gui.exe"
!define UNINSTALL_KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\${NAME}"
!define OWN_KEY "Software\${NAME}"
!define CAPABILITIES "${OWN_KEY}\Capabilities"
!define CLASSES "Software\Classes"
!define LINK_CLASS "WalletGUI.bitcoin"
!define FILE_CLASS "WalletGUI.psbt"
; What stands after -- is a link or a file, whatever it looks like: never an option.
!define OPENS `"$INSTDIR\${PROGRAM}" -- "%1"`

!define FILE_FAILED 2
!define RUNS 3
!define NOT_REMOVED 4
!define TOO_OLD 5

Name "${NAME}"
OutFile "${OUTPUT}"
InstallDir "$LOCALAPPDATA\Programs\${NAME}"
InstallDirRegKey HKCU "${UNINSTALL_KEY}" "InstallLocation"
RequestExecutionLevel user
ManifestDPIAware true
ManifestSupportedOS Win10
BrandingText " "
ShowInstDetails hide
ShowUninstDetails hide
AutoCloseWindow false

VIProductVersion "${NUMBERS}"
VIFileVersion "${NUMBERS}"
VIAddVersionKey "ProductName" "${NAME}"
VIAddVersionKey "ProductVersion" "${VERSION}"
VIAddVersionKey "FileVersion" "${VERSION}"
VIAddVersionKey "FileDescription" "${NAME} setup"
VIAddVersionKey "CompanyName" "${PUBLISHER}"
VIAddVersionKey "LegalCopyright" "MIT licence"

!ifdef SIGN
; Signed where it is made, for it is written to the disk by the setup program.
!uninstfinalize '${SIGN} "%1"' = 0
!endif

!define MUI_ICON "${ICON}"
!define MUI_UNICON "${ICON}"
!define MUI_ABORTWARNING
!define MUI_FINISHPAGE_NOAUTOCLOSE
!define MUI_FINISHPAGE_RUN "$INSTDIR\${PROGRAM}"
!define MUI_FINISHPAGE_RUN_TEXT "Open ${NAME} now"
!define MUI_FINISHPAGE_TITLE "${NAME} ${VERSION} is installed"
!define MUI_FINISHPAGE_TEXT "You find it in the start menu, and ${NAME} Offline beside it: a window that reaches no network, for a computer that holds keys.$\r$\n$\r$\nWindows asks you which program opens bitcoin: links and .psbt files; you choose under Settings, Default apps."
!define MUI_UNCONFIRMPAGE_TEXT_TOP "The program will be removed from this computer. Your wallets and settings stay where they are, in $LOCALAPPDATA\wallet-gui."

!insertmacro MUI_PAGE_DIRECTORY
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_PAGE_FINISH
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"

; A program that runs cannot be opened for writing. $0 is used.
!macro NOT_RUNNING FOLDER FILE
  ${Do}
    ${IfNot} ${FileExists} "${FOLDER}\${FILE}"
      ${ExitDo}
    ${EndIf}
    ClearErrors
    FileOpen $0 "${FOLDER}\${FILE}" a
    ${IfNot} ${Errors}
      FileClose $0
      ${ExitDo}
    ${EndIf}
    MessageBox MB_RETRYCANCEL|MB_ICONEXCLAMATION "${NAME} is running. Close its windows, then choose Retry." /SD IDCANCEL IDRETRY +3
    SetErrorLevel ${RUNS}
    Quit
  ${Loop}
!macroend

; Takes back a value of the registry, and the key when nothing else is in it.
!macro FORGET KEY VALUE
  DeleteRegValue HKCU "${KEY}" "${VALUE}"
  DeleteRegKey /ifempty HKCU "${KEY}"
!macroend

; The address of links belongs to whoever has it; ours are told apart by their command.
!macro FORGET_LINKS
  ReadRegStr $0 HKCU "${CLASSES}\bitcoin\shell\open\command" ""
  ${If} $0 == `${OPENS}`
    !insertmacro FORGET "${CLASSES}\bitcoin\shell\open\command" ""
    DeleteRegKey /ifempty HKCU "${CLASSES}\bitcoin\shell\open"
    DeleteRegKey /ifempty HKCU "${CLASSES}\bitcoin\shell"
    DeleteRegValue HKCU "${CLASSES}\bitcoin" "URL Protocol"
    !insertmacro FORGET "${CLASSES}\bitcoin" ""
  ${EndIf}
!macroend

!macro TELL_WINDOWS
  System::Call 'shell32::SHChangeNotify(i 0x08000000, i 0, p 0, p 0)'
!macroend

Function .onInit
  ${IfNot} ${AtLeastWin10}
    MessageBox MB_OK|MB_ICONSTOP "${NAME} needs Windows 10 or newer." /SD IDOK
    SetErrorLevel ${TOO_OLD}
    Quit
  ${EndIf}
FunctionEnd

Section "Install"
  !insertmacro NOT_RUNNING "$INSTDIR" "${PROGRAM}"
  !insertmacro NOT_RUNNING "$INSTDIR" "${COMMAND_LINE}"

  ; What an older or a newer version has and this one has not would stay, and be loaded.
  ReadRegStr $1 HKCU "${UNINSTALL_KEY}" "InstallLocation"
  ${If} $1 != ""
  ${AndIf} ${FileExists} "$1\uninstall.exe"
    DetailPrint "Removing the version that is installed."
    ClearErrors
    ExecWait '"$1\uninstall.exe" /S /REPLACED _?=$1' $2
    ${If} ${Errors}
    ${OrIf} $2 != 0
      MessageBox MB_OK|MB_ICONSTOP "The version that is installed in $1 could not be removed. Close ${NAME} and try again." /SD IDOK
      SetErrorLevel ${NOT_REMOVED}
      Quit
    ${EndIf}
    Delete "$1\uninstall.exe"
    RMDir "$1"
  ${EndIf}

  ClearErrors
  !include "${LISTS}/install.nsh"
  SetOutPath "$INSTDIR"
  WriteUninstaller "$INSTDIR\uninstall.exe"
  ${If} ${Errors}
    MessageBox MB_OK|MB_ICONSTOP "Not all files could be written to $INSTDIR. Make room on the disk or choose another folder, and start this program again." /SD IDOK
    SetErrorLevel ${FILE_FAILED}
    Quit
  ${EndIf}

  CreateShortcut "$SMPROGRAMS\${NAME}.lnk" "$INSTDIR\${PROGRAM}" "" "$INSTDIR\${PROGRAM}" 0 SW_SHOWNORMAL "" "${DESCRIPTION}"
  CreateShortcut "$SMPROGRAMS\${NAME} Offline.lnk" "$INSTDIR\${PROGRAM}" "--offline" "$INSTDIR\${PROGRAM}" 0 SW_SHOWNORMAL "" "Keep keys and sign payments without a network"

  WriteRegStr HKCU "${UNINSTALL_KEY}" "DisplayName" "${NAME}"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "DisplayIcon" "$INSTDIR\${PROGRAM},0"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "Publisher" "${PUBLISHER}"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKCU "${UNINSTALL_KEY}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD HKCU "${UNINSTALL_KEY}" "EstimatedSize" "${SIZE}"
  WriteRegDWORD HKCU "${UNINSTALL_KEY}" "NoModify" 1
  WriteRegDWORD HKCU "${UNINSTALL_KEY}" "NoRepair" 1

  WriteRegStr HKCU "${CLASSES}\${LINK_CLASS}" "" "Bitcoin payment link"
  WriteRegStr HKCU "${CLASSES}\${LINK_CLASS}" "URL Protocol" ""
  WriteRegStr HKCU "${CLASSES}\${LINK_CLASS}\DefaultIcon" "" "$INSTDIR\${PROGRAM},0"
  WriteRegStr HKCU "${CLASSES}\${LINK_CLASS}\shell\open\command" "" `${OPENS}`
  WriteRegStr HKCU "${CLASSES}\${FILE_CLASS}" "" "Bitcoin payment to be signed (PSBT)"
  WriteRegStr HKCU "${CLASSES}\${FILE_CLASS}\DefaultIcon" "" "$INSTDIR\${PROGRAM},0"
  WriteRegStr HKCU "${CLASSES}\${FILE_CLASS}\shell\open\command" "" `${OPENS}`
  WriteRegStr HKCU "${CLASSES}\.psbt\OpenWithProgids" "${FILE_CLASS}" ""
  WriteRegStr HKCU "${CAPABILITIES}" "ApplicationName" "${NAME}"
  WriteRegStr HKCU "${CAPABILITIES}" "ApplicationDescription" "${DESCRIPTION}"
  WriteRegStr HKCU "${CAPABILITIES}" "ApplicationIcon" "$INSTDIR\${PROGRAM},0"
  WriteRegStr HKCU "${CAPABILITIES}\URLAssociations" "bitcoin" "${LINK_CLASS}"
  WriteRegStr HKCU "${CAPABILITIES}\FileAssociations" ".psbt" "${FILE_CLASS}"
  WriteRegStr HKCU "Software\RegisteredApplications" "${NAME}" "${CAPABILITIES}"

  ; Where no wallet has ever had the links, of this person or of all, they are ours. Enumerating
  ; fails only where there is no key at all.
  ClearErrors
  EnumRegKey $0 HKCU "${CLASSES}\bitcoin" 0
  ${If} ${Errors}
    ClearErrors
    EnumRegKey $0 HKLM "${CLASSES}\bitcoin" 0
    ${If} ${Errors}
      WriteRegStr HKCU "${CLASSES}\bitcoin" "" "URL:Bitcoin payment link"
      WriteRegStr HKCU "${CLASSES}\bitcoin" "URL Protocol" ""
      WriteRegStr HKCU "${CLASSES}\bitcoin\shell\open\command" "" `${OPENS}`
    ${EndIf}
  ${EndIf}
  ClearErrors
  !insertmacro TELL_WINDOWS
SectionEnd

Section "Uninstall"
  !insertmacro NOT_RUNNING "$INSTDIR" "${PROGRAM}"
  !insertmacro NOT_RUNNING "$INSTDIR" "${COMMAND_LINE}"

  !include "${LISTS}/remove.nsh"
  ; A setup program that replaces this version by another writes the rest anew.
  !insertmacro FORGET_LINKS
  ${GetParameters} $R0
  ClearErrors
  ${GetOptions} $R0 "/REPLACED" $R1
  ${IfNot} ${Errors}
    Return
  ${EndIf}

  Delete "$INSTDIR\uninstall.exe"
  SetOutPath "$TEMP"
  RMDir "$INSTDIR"
  Delete "$SMPROGRAMS\${NAME}.lnk"
  Delete "$SMPROGRAMS\${NAME} Offline.lnk"
  DeleteRegKey HKCU "${UNINSTALL_KEY}"
  DeleteRegKey HKCU "${OWN_KEY}"
  !insertmacro FORGET "Software\RegisteredApplications" "${NAME}"
  DeleteRegKey HKCU "${CLASSES}\${LINK_CLASS}"
  DeleteRegKey HKCU "${CLASSES}\${FILE_CLASS}"
  !insertmacro FORGET "${CLASSES}\.psbt\OpenWithProgids" "${FILE_CLASS}"
  DeleteRegKey /ifempty HKCU "${CLASSES}\.psbt"
  !insertmacro TELL_WINDOWS
SectionEnd
